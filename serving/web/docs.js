"use strict";
// Shows /openapi.json. Where the service asks for its key, the page does; it keeps it in memory only.
const form = document.getElementById("ask"), note = document.getElementById("note");

async function show(key) {
  const response = await fetch("openapi.json", { headers: key ? { "X-API-Key": key } : {} });
  const answer = await response.json();
  form.hidden = response.ok;
  if (!response.ok) {
    note.textContent = key || response.status !== 401 ? answer.error.message : "";
    return;
  }
  const page = SwaggerUIBundle({
    spec: answer,
    dom_id: "#interface",
    deepLinking: true,
    validatorUrl: null,
    onComplete: () => { if (key) page.preauthorizeApiKey("key", key); },
  });
}

form.addEventListener("submit", (event) => { event.preventDefault(); show(form.key.value); });
show("").catch((error) => { note.textContent = String(error); form.hidden = false; });
