/** The stack's region table, as the Worker gets it in its REGIONS binding. */
import type { PublicSettings } from "./config.ts";

/** The prefix of an object's name is the environment's and then the region's: `prd-eu:chat:lobby`. */
export const regionTable = ({ environmentPrefix, homeRegion, regions }: PublicSettings) => ({
  environmentPrefix,
  home: homeRegion,
  regions,
});
