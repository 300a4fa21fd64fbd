"use strict";

// The page is complete without this: here the images are sorted and judged, and the judgements saved.
const list = document.getElementById("list");
const rows = [...list.children];
const captions = [...list.querySelectorAll(".candidate")];
const sort = document.getElementById("sort");
const differing = document.getElementById("differing");
let unsaved = false;

const orders = {
  disagreement: (one, other) => one.dataset.rank - other.dataset.rank,
  loss: (one, other) => other.dataset.loss - one.dataset.loss || one.dataset.rank - other.dataset.rank,
  file: (one, other) => one.dataset.at - other.dataset.at,
  unjudged: (one, other) => judged(one) - judged(other) || one.dataset.rank - other.dataset.rank,
};

function judged(row) {
  return [...row.querySelectorAll(".candidate")].every((caption) => caption.dataset.useful !== "");
}

function arrange() {
  list.append(...rows.sort(orders[sort.value]));
  for (const row of rows) row.hidden = differing.checked && row.dataset.identical === "true";
}

function show() {
  for (const caption of captions) {
    for (const button of caption.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.answer === caption.dataset.useful));
    }
  }
  const done = captions.filter((caption) => caption.dataset.useful !== "");
  const useful = done.filter((caption) => caption.dataset.useful === "true");
  document.getElementById("progress").value =
    `${done.length} of ${captions.length} judged` + (done.length ? `, ${useful.length} useful` : "");
}

function judge(button) {
  const caption = button.closest(".candidate");
  const same = button.dataset.answer === caption.dataset.useful;
  caption.dataset.useful = same ? "" : button.dataset.answer;
  unsaved = true;
  show();
}

function judgements() {
  return captions.filter((caption) => caption.dataset.useful !== "").map((caption) => {
    const row = caption.closest(".row");
    return { image: row.dataset.image, file: row.dataset.file, task: list.dataset.task, candidate: caption.dataset.candidate,
             caption: caption.dataset.caption, useful: caption.dataset.useful === "true" };
  });
}

function save() {
  const content = { format: "meme_captioner judgements", judgements: judgements() };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1) + "\n"], { type: "application/json" }));
  link.download = "judgements.json";
  link.click();
  URL.revokeObjectURL(link.href);
  unsaved = false;
}

list.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) judge(button);
});
sort.addEventListener("change", arrange);
differing.addEventListener("change", arrange);
document.getElementById("save").addEventListener("click", save);
window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });

for (const hidden of document.querySelectorAll(".tools, .hint, .judge")) hidden.hidden = false;
show();
