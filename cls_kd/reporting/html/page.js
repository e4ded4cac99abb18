"use strict";

const parsed = (id) => JSON.parse(document.getElementById(id).textContent);

async function load(id) {
  const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const source = await new Response(stream).text();
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function enhanceTables() {
  const { default: DataTable, set_or_remove_dark_class: followTheme } = await load("datatables-source");
  followTheme();
  for (const [id, options] of Object.entries(parsed("table-options"))) {
    new DataTable(`#${id}`, options);
    describe(document.getElementById(id));
  }
}

// Buttons in the head of a table name their column, and the part that scrolls takes the focus.
function describe(table) {
  for (const head of table.tHead.rows[0].cells) {
    const title = head.querySelector(".dt-column-title").textContent;
    for (const button of head.querySelectorAll(".dtcc-button")) {
      const list = button.classList.contains("dtcc-button_dropdown");
      button.setAttribute("aria-label", `${list ? "Filter" : "Sort"} ${title}`);
      button.title = `${list ? "Filter" : "Sort"} by ${title}`;
    }
  }
  const region = table.closest(".scroll");
  const inner = table.closest(".dt-layout-table");
  for (const name of ["tabindex", "role", "aria-label"]) {
    inner.setAttribute(name, region.getAttribute(name));
    region.removeAttribute(name);
  }
}

async function drawCharts() {
  await load("vega-source");
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  for (const [id, spec] of Object.entries(parsed("specs"))) {
    await vegaEmbed(`#${id}`, spec, {
      mode: "vega-lite",
      renderer: "svg",
      actions: { export: true, source: false, compiled: false, editor: false },
      tooltip: { theme: dark ? "dark" : "light" },
    });
  }
}

// For checks in a browser: "true" once tables and plots are in place.
Promise.all([enhanceTables(), drawCharts()]).then(() => {
  document.documentElement.dataset.ready = "true";
});
