// The operations of openapi.json, each with a form that sends it. Text only ever becomes text, never markup.

const base = new URL(".", location.href).href; // where the endpoint is, whatever proxy stands before it
const page = document.getElementById("page");

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Indented JSON with the innermost lists on one line each: a row of features stays a row.
const written = (value) => JSON.stringify(value, null, 2)
  .replace(/\[\n([^[\]{}]*)\n\s*\]/g, (_, inside) => `[${inside.trim().replace(/\s*\n\s*/g, " ")}]`);

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function reader(api) {
  const resolved = (schema) => schema?.$ref
    ? resolved(schema.$ref.slice(2).split("/").reduce((part, name) => part[name], api)) : schema ?? {};
  const type = (schema) => {
    const { anyOf, type: name, items, format } = resolved(schema);
    if (anyOf) return anyOf.map(type).join(" or ");
    return name === "array" ? `list of ${type(items)}` : format ?? name ?? "anything";
  };
  return { resolved, type };
}

function fields(schema, { resolved, type }) {
  const { properties = {}, required = [] } = resolved(schema);
  const rows = Object.entries(properties).map(([name, field]) => element("tr", {},
    element("th", { scope: "row" }, name),
    element("td", {}, type(field) + (required.includes(name) ? "" : ", may be left out")),
    element("td", {}, resolved(field).description ?? "")));
  return rows.length ? element("table", {}, ...rows) : "";
}

async function send(request, body, shown) {
  const start = performance.now();
  shown.hidden = false;
  try {
    const answer = await fetch(request.url, { method: request.method, headers: request.headers, body });
    const text = await answer.text();
    const isJson = (answer.headers.get("content-type") ?? "").includes("json");
    shown.firstChild.textContent = `${answer.status} ${answer.statusText}, ${Math.round(performance.now() - start)} ms`;
    shown.lastChild.textContent = (isJson ? written(JSON.parse(text)) : text).slice(0, 50_000);
  } catch (error) {
    shown.firstChild.textContent = "No answer";
    shown.lastChild.textContent = `${error.message}. Is the server up, and its address the one of this page?`;
  }
}

function operation(path, method, said, api, key) {
  const read = reader(api), id = `${method}-${path}`;
  const content = said.requestBody?.content["application/json"];
  const input = content && element("textarea", { id, spellcheck: false, rows: 8,
    value: written(read.resolved(content.schema).examples?.[0] ?? {}) });
  const curl = element("pre"), shown = element("div", { className: "answer", hidden: true, role: "status" },
    element("strong"), element("pre"));

  const request = () => {
    const headers = { ...(content && { "content-type": "application/json" }),
      ...(said.security && key.value && { [key.name]: key.value }) };
    return { url: new URL(path.slice(1), base).href, method: method.toUpperCase(), headers };
  };
  const update = () => {
    const { url, headers } = request();
    const named = Object.entries(headers).map(([name, value]) => `${name}: ${name === key.name ? "…" : value}`);
    const data = input ? [`-d ${quoted(input.value)}`] : [];
    curl.textContent = [`curl -s ${quoted(url)}`, ...named.map((item) => `-H ${quoted(item)}`), ...data].join(" \\\n  ");
  };
  key.addEventListener("input", update);
  input?.addEventListener("input", update);
  update();

  const answers = Object.entries(said.responses).map(([status, { description, content: given = {} }]) =>
    element("details", {}, element("summary", {}, `${status} ${description}`),
      fields(Object.values(given)[0]?.schema, read)));
  return element("section", { ariaLabel: said.summary },
    element("h2", {}, element("code", { className: method }, method.toUpperCase()), " ", element("code", {}, path)),
    element("p", {}, said.summary, said.security ? ". Asks for the key." : ""),
    ...(input ? [element("label", { htmlFor: id }, "Body"), input, fields(content.schema, read)] : []),
    element("button", { onclick: () => send(request(), input?.value, shown) }, "Send"),
    shown,
    element("details", {}, element("summary", {}, "As a command"), curl),
    element("details", {}, element("summary", {}, "Answers"), ...answers));
}

function draw(api) {
  const scheme = Object.values(api.components?.securitySchemes ?? {}).find((item) => item.type === "apiKey");
  const key = element("input", { type: "password", id: "key", name: scheme?.name ?? "", autocomplete: "off" });
  const asked = scheme ? [element("label", { htmlFor: "key" }, `Key (${scheme.name})`), key] : [];
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, said]) => operation(path, method, said, api, key)));
  document.title = api.info.title;
  page.replaceChildren(
    element("h1", {}, api.info.title),
    element("p", {}, api.info.description.replaceAll("`", "")),
    element("p", {}, element("code", {}, base), " · ", element("a", { href: "openapi.json" }, "openapi.json")),
    ...asked, ...operations);
}

try {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(`openapi.json: ${answer.status}`);
  draw(await answer.json());
} catch (error) {
  const said = `The description cannot be read (${error.message}); load the page again.`;
  page.replaceChildren(element("p", { role: "alert" }, said));
}
