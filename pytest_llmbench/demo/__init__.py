"""Six recorded answers to Round 1, for a benchmark without a server and without a key.

`--llm-models=demo` stands for all six. They were written for this project: none of them is the
answer of a real model, and none is shown as such. Each lies in a
folder, as `todo.json`: that of `demo-argparse` in `argparse/`.

| label              | what it is                                | stop   | score |
| ------------------ | ----------------------------------------- | ------ | ----- |
| demo-argparse      | argparse commands, a class                | end    | 100   |
| demo-argv          | `sys.argv` commands, a class              | end    | 100   |
| demo-minimal       | argparse commands, flat functions         | end    | 100   |
| demo-menu          | an interactive menu                       | end    | 60    |
| demo-thinking-menu | a `<think>` block, an interactive menu    | end    | 60    |
| demo-cut-off       | cut off by the token limit in an f-string | length | 28    |

The scores come from running the code. The times and token counts are those of the table that was
published for Round 1, row by row, except for demo-thinking-menu, whose figures are made up as an
illustration; the `note` in each recording says which. Input tokens are unknown everywhere.
"""
