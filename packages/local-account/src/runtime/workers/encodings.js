/** How an answer is compressed on its way to the client, as Cloudflare does it. */

/** What Cloudflare compresses: https://developers.cloudflare.com/speed/optimization/content/compression/. */
const COMPRESSED = new Set(
  [
    ["text/", "html richtext plain css x-script x-component x-java-source x-markdown javascript js xml"],
    ["application/", "javascript x-javascript x-perl x-httpd-cgi xml rss+xml vnd.api+json x-protobuf json xhtml+xml"],
    ["application/", "ttf x-ttf otf x-otf truetype opentype x-opentype font-woff eot font font-sfnt wasm"],
    ["application/", "vnd.ms-fontobject javascript-binast manifest+json ld+json graphql+json geo+json"],
    ["image/", "x-icon vnd.microsoft.icon svg+xml"],
    ["font/", "ttf otf x-woff"],
    ["multipart/", "bag mixed"],
  ].flatMap(([kind, names]) => names.split(" ").map((name) => kind + name)),
);

/** The answer in an encoding that the client takes. `accepted`: its Accept-Encoding, which is not empty. */
export function encoded(response, accepted) {
  const type = response.headers.get("Content-Type")?.split(";", 1)[0].trim().toLowerCase();
  const present = response.headers.get("Content-Encoding");
  if (response.webSocket || (type && !COMPRESSED.has(type)) || (present && !/^(gzip|br)$/.test(present)))
    return response;
  const takes = parse(accepted);
  const best = takes.find(({ coding, weight }) => weight > 0 && /^(gzip|br|identity)$/.test(coding))?.coding;
  const wanted = best === "identity" ? undefined : best;
  if (wanted === undefined && takes.some(({ coding, weight }) => weight === 0 && /^(identity|\*)$/.test(coding)))
    return new Response("Unsupported Media Type", { status: 415, headers: { "Accept-Encoding": "br, gzip" } });
  if ((wanted ?? null) === present) return response;
  const changed = new Response(response.body, response);
  if (wanted === undefined) changed.headers.delete("Content-Encoding");
  else changed.headers.set("Content-Encoding", wanted);
  return changed;
}

/** The codings of an Accept-Encoding, the best first. What is no coding is left out. */
function parse(accepted) {
  return accepted
    .split(",")
    .flatMap((element) => {
      const [, coding, weight = "1"] = /^\s*([a-z]+|\*)\s*(?:;\s*q=(\d(?:\.\d+)?)\s*)?$/i.exec(element) ?? [];
      return coding === undefined ? [] : [{ coding: coding.toLowerCase(), weight: Number(weight) }];
    })
    .sort((a, b) => b.weight - a.weight);
}
