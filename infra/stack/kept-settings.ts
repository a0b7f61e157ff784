/** Settings that a command changes, and puts back where nothing came of the change. */
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { readIfThere, writeNamed } from "../common/named-file.ts";
import { fullKey, projectName, readStackFile } from "./project.ts";
import type { SettingKey } from "./schema.ts";
import type { SettingValue } from "./setting-text.ts";
import { changeSetting } from "./settings-file.ts";

/** The values of some settings as a stack's file has them; undefined: it has none. */
export type Kept = readonly (readonly [key: SettingKey, value: SettingValue | undefined])[];

export interface Changed {
  /** What the file says since. */
  readonly wrote: Kept;
  /** Puts the settings back, unless something else has set them since; whether it did. A key that was not there comes out. */
  readonly putBack: () => boolean;
}

/** What such a setting is in a file, also where the Pulumi CLI has written it as text. */
const Value = v.union([v.number(), v.boolean(), v.string()]);

/** What the file says of `keys` now. */
export function keptIn(file: string, keys: readonly SettingKey[]): Kept {
  const project = projectName();
  const config = new Map(
    Object.entries(readStackFile(file).config).map(([key, value]) => [fullKey(project, key), value] as const),
  );
  return keys.map((key) => {
    const value = config.get(fullKey(project, key));
    return [key, v.is(Value, value) ? value : undefined] as const;
  });
}

/** Whether the file says of these settings what it said then. */
export const isAsKept = (file: string, kept: Kept): boolean =>
  isDeepStrictEqual(
    keptIn(
      file,
      kept.map(([key]) => key),
    ),
    kept,
  );

/** Changes `keys` in the file by `write`, so that they can be put back. */
export function changed(file: string, keys: readonly SettingKey[], write: () => void): Changed {
  const [before, textBefore] = [keptIn(file, keys), readIfThere(file)];
  write();
  const [wrote, text] = [keptIn(file, keys), readIfThere(file)];
  return {
    wrote,
    putBack: () => {
      if (!isAsKept(file, wrote)) return false;
      // With the comments beside them, where nobody has touched the file.
      if (textBefore !== undefined && readIfThere(file) === text) writeNamed(file, textBefore);
      else for (const [key, value] of before) changeSetting(file, key, value);
      return true;
    },
  };
}
