"use strict";
const byId = (id) => document.getElementById(id);
const results = Array.from(document.querySelectorAll(".result"));

function filterResults() {
  const model = byId("filter-model").value;
  const onlyLost = byId("filter-lost").checked;
  for (const result of results) {
    result.hidden =
      (model !== "" && result.dataset.model !== model) ||
      (onlyLost && result.dataset.lost !== "yes");
  }
}

function showCode(select, place) {
  const chosen = byId(select.value);
  const code = chosen && chosen.querySelector(".files");
  place.replaceChildren(...(code ? [code.cloneNode(true)] : []));
}

function offerCode(select, place, first) {
  for (const result of results) {
    if (result.dataset.name) select.add(new Option(result.dataset.name, result.id));
  }
  select.selectedIndex = Math.min(first, select.options.length - 1);
  select.addEventListener("change", () => showCode(select, place));
}

function openTarget() {
  const target = location.hash && byId(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") target.open = true;
}

byId("controls").hidden = false;
byId("filter-model").addEventListener("change", filterResults);
byId("filter-lost").addEventListener("change", filterResults);
offerCode(byId("left"), byId("left-code"), 0);
offerCode(byId("right"), byId("right-code"), 1);
byId("side-by-side").addEventListener("toggle", () => {
  showCode(byId("left"), byId("left-code"));
  showCode(byId("right"), byId("right-code"));
});
addEventListener("hashchange", openTarget);
openTarget();
