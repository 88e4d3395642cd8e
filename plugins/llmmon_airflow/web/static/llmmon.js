// Three conveniences; every page works without them.
for (const form of document.querySelectorAll("form[data-submit-on-change]")) {
  form.addEventListener("change", () => form.requestSubmit());
  form.classList.add("has-script");
}

for (const plot of document.querySelectorAll(".plot")) {
  const readout = plot.querySelector(".readout");
  for (const stop of plot.querySelectorAll(".touch")) {
    const title = stop.querySelector("title");
    const sentence = title.textContent;
    stop.addEventListener("pointerenter", () => {
      readout.textContent = sentence;
      title.remove(); // the line below the chart says it; a second tooltip would only lag behind
    });
    stop.addEventListener("pointerleave", () => stop.append(title));
  }
  plot.addEventListener("pointerleave", () => { readout.textContent = ""; });
}

const report = document.getElementById("report");
report?.addEventListener("load", () => document.getElementById("loading")?.remove());
