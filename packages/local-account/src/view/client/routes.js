/** Addresses of views: they are behind the `#`, so that the browser's history works. */

/**
 * @typedef {object} Route
 * @property {readonly string[]} path
 * @property {URLSearchParams} query
 */

/** @returns {Route} */
export function here() {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path === "" ? [] : path.split("/").map(decoded), query: new URLSearchParams(query) };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * `#/kv/<id>?key=…`
 * @param {readonly string[]} path
 * @param {Record<string, string | number | undefined>} [query]
 */
export const hash = (path, query = {}) => `#/${written(path, query)}`;

/**
 * The path of the server's data: `/data/kv/<id>?after=…`
 * @param {readonly string[]} path
 * @param {Record<string, string | number | null | undefined>} [query]
 */
export const data = (path, query = {}) => `/data/${written(path, query)}`;

/**
 * @param {readonly string[]} path
 * @param {Record<string, string | number | null | undefined>} query
 */
function written(path, query) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null) search.set(name, String(value));
  return path.map(encodeURIComponent).join("/") + (search.size === 0 ? "" : `?${search}`);
}
