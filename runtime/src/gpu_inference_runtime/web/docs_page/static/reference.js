// Shows the service's OpenAPI in Swagger UI, with this page's key and its address of the service.

const PLACE = new URL(".", location.href).href.replace(/\/$/, "");

// Swagger UI's script loads after this page's.
const loaded = new Promise((resolve) => window.addEventListener("load", resolve));

// Returns the description's example of a scoring request; undefined if it has none.
export function exampleOf(spec) {
  const resolved = (item) =>
    item?.$ref ? item.$ref.split("/").slice(1).reduce((value, name) => value?.[name], spec) : item;
  const body = bodyOf(spec);
  const example = body?.example ?? resolved(body?.schema)?.example;
  // Without a schema, it is an empty object.
  return JSON.stringify(example) === "{}" ? undefined : example;
}

function bodyOf(spec) {
  const post = spec.paths?.[scorePath(spec)]?.post;
  // The second form: a user's own Swagger 2.0.
  return post?.requestBody?.content?.["application/json"] ?? post?.parameters?.find((each) => each.in === "body");
}

function scorePath(spec) {
  return Object.keys(spec.paths ?? {}).find((path) => path.endsWith("/score")) ?? "/score";
}

// A script without a schema has no example in its description, but the page shows one.
export async function showReference(spec, key, example, into) {
  await loaded;
  const ui = window.SwaggerUIBundle({
    spec: here(spec, example),
    domNode: into,
    layout: "BaseLayout",
    presets: [window.SwaggerUIBundle.presets.apis],
    validatorUrl: null,
    // An image has hundreds of numbers: highlighting them would take seconds.
    syntaxHighlight: { activated: false },
    defaultModelsExpandDepth: 0,
    requestInterceptor: withBearer,
    onComplete: () => {
      const schemes = spec.components?.securitySchemes ?? spec.securityDefinitions ?? {};
      if (key) for (const name of Object.keys(schemes)) ui.preauthorizeApiKey(name, key);
    },
  });
}

// The description has the server's paths; this page may have been reached through a proxy's path.
function here(original, example) {
  const spec = structuredClone(original);
  Object.assign(bodyOf(spec) ?? {}, { example });
  const prefix = scorePath(spec).slice(0, -"/score".length);
  const paths = Object.entries(spec.paths ?? {}).map(([path, item]) =>
    [path.startsWith(prefix) ? path.slice(prefix.length) : path, item]);
  const { host, pathname } = new URL(PLACE);
  const place = spec.swagger ? { host, basePath: pathname } : { servers: [{ url: PLACE }] };
  return { ...spec, ...place, paths: Object.fromEntries(paths) };
}

// People enter the bare key; the header needs a scheme.
function withBearer(request) {
  const { Authorization: value } = request.headers;
  if (value && !value.includes(" ")) request.headers.Authorization = `Bearer ${value}`;
  return request;
}
