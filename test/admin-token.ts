/** Whether a deployed Worker takes an admin token, whatever patterns it has. */
import * as v from "valibot";

const Paths = v.object({
  paths: v.record(v.string(), v.record(v.string(), v.object({ security: v.optional(v.array(v.looseObject({})), []) }))),
});

/** Whether a token is the admin's there. A path for which it can be shown is asked: 401 is no. */
export async function takesToken(url: string | URL, token: string): Promise<boolean> {
  const { paths } = v.parse(Paths, await (await fetch(new URL("/openapi.json", url))).json());
  const [path] = Object.entries(paths).find(([, { get }]) => get?.security.some((way) => "admin" in way)) ?? [];
  if (path === undefined) throw new Error("no path takes an admin token");
  const asked = new URL(path.replaceAll(/\{\w+\}/g, "x"), url);
  return (await fetch(asked, { headers: { Authorization: `Bearer ${token}` } })).status !== 401;
}
