/** The JSON bindings by which a stack tells the Worker what it is: infra/ writes them, worker/stack.ts reads them. */
import * as v from "valibot";
import { Regions } from "./regions.ts";
import { type RecordedRelease, Release } from "./release.ts";
import { Settings } from "./settings.ts";

export const Bindings = v.object({ SETTINGS: Settings, REGIONS: Regions, RELEASE: Release });

/** The values that infra/ writes into the bindings. */
export interface Told {
  readonly SETTINGS: Settings;
  readonly REGIONS: Regions;
  readonly RELEASE: RecordedRelease;
}
