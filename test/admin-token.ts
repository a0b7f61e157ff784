/** Whether a deployed Worker takes an admin token, whatever patterns it has, and also where its stack is open. */
import * as v from "valibot";

const Paths = v.object({
  paths: v.record(
    v.string(),
    v.record(v.string(), v.object({ "x-access": v.optional(v.object({ rule: v.string() })) })),
  ),
});

/** Makes the calls of the admin, about things that are not there, until one is answered 401: then it is not. */
export async function takesToken(url: string | URL, token: string): Promise<boolean> {
  const { paths } = v.parse(Paths, await (await fetch(new URL("/openapi.json", url))).json());
  const calls = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, operation]) =>
      operation["x-access"]?.rule === "admin" ? { path, method: method.toUpperCase() } : [],
    ),
  );
  if (calls.length === 0) throw new Error("no call is the admin's");
  for (const { path, method } of calls) {
    const asked = new URL(path.replaceAll(/\{\w+\}/g, "not-there"), url);
    const { status, body } = await fetch(asked, { method, headers: { Authorization: `Bearer ${token}` } });
    await body?.cancel();
    if (status === 401) return false;
  }
  return true;
}
