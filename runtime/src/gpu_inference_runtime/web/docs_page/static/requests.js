// Sends requests to the service, with the key if there is one, and explains every outcome.

const MEANINGS = {
  400: "The service cannot read this request.",
  401: `The service does not accept this ${document.documentElement.dataset.credential || "key"}.`,
  413: "The request is too large for the service.",
  500: "The script failed on this request; the service's log says why.",
  502: "The script failed on this request; the service's log says why.",
  503: "The service is busy, or not ready yet. Try again in a moment.",
  504: "The script took longer than the service allows.",
};

// Always resolves, to {status, statusText, text, json, id, milliseconds, problem}: status is 0 without a response,
// json is undefined if the body is not JSON, problem is empty after a 2xx.
export async function ask(path, { key = "", body, signal } = {}) {
  const headers = {};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const began = performance.now();
  const answer = { status: 0, statusText: "No response", text: "", json: undefined, id: null, problem: "" };
  try {
    const method = body === undefined ? "GET" : "POST";
    const response = await fetch(path, { method, headers, body, signal, cache: "no-store" });
    const text = await response.text();
    const { status, statusText } = response;
    Object.assign(answer, { status, statusText, text, json: parsed(text), id: response.headers.get("x-ms-request-id") });
    if (!response.ok) answer.problem = problem(answer);
  } catch (error) {
    answer.problem = error.name === "AbortError"
      ? "You stopped waiting; the service may still be working on the request."
      : "The connection ended without a response. Is the service running?";
  }
  answer.milliseconds = performance.now() - began;
  return answer;
}

function problem({ status, text, json }) {
  const said = json?.message ?? text.slice(0, 500);
  const meaning = MEANINGS[status] ?? "The service refused this request.";
  return said ? `${meaning} It says: ${said}` : meaning;
}

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
