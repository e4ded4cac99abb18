"use strict";

const parsed = (id) => JSON.parse(document.getElementById(id).textContent);

async function load(id) {
  const url = URL.createObjectURL(new Blob([parsed(id)], { type: "text/javascript" }));
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
  }
}

async function drawCharts() {
  await load("vega-source");
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  for (const [id, spec] of Object.entries(parsed("specs"))) {
    await vegaEmbed(`#${id}`, spec, {
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
