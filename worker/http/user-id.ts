/** Ids of users, as identity providers make them: `auth0|6123`, `did:plc:abc`, `O'Brien`. Also the names of accounts. */
import * as v from "valibot";

const MAX_CODE_POINTS = 128;
/** A socket's tag has at most 256 bytes, and `user:` is in front. */
const MAX_BYTES = 240;

/** Most ids: visible ASCII, which needs no tables of Unicode. */
const PLAIN = /^(?!__)[\w-](?:[ -~]*[!-~])?$/;

/**
 * Visible characters of any script; none that is unassigned, changes the direction of the text, or is a letter or a mark
 * that nobody sees.
 */
const isFormed = (id: string): boolean =>
  // A literal in a function: its tables take a millisecond of a cold start, and are made at the first id that needs them.
  PLAIN.test(id) ||
  /^(?!__|.*(?:(?!\uFE0F)\p{DI}|(?<!\p{ExtPict})\uFE0F|\u2800))[\p{L}\p{N}_-](?:[\p{L}\p{N}\p{M}\p{P}\p{S} ]*[\p{L}\p{N}\p{M}\p{P}\p{S}])?$/u.test(
    id,
  );

/** An id by its form. Ids that Unicode treats as equal (NFC) are the same id. */
export const Id = v.pipe(
  v.string(),
  v.normalize("NFC"),
  v.check(
    (id) => [...id].length <= MAX_CODE_POINTS && new TextEncoder().encode(id).byteLength <= MAX_BYTES,
    `must have at most ${MAX_CODE_POINTS} characters and ${MAX_BYTES} bytes`,
  ),
  v.check(isFormed, "must begin with a letter, a digit, - or one _, and have visible characters only"),
);

/** Ids that only the server gives: to anonymous callers, guests, services and the admin. */
const RESERVED = /^(?:(?:anon|guest|key)-|admin$)/i;

/** The id of a user. */
export const UserId = v.pipe(
  Id,
  v.check(
    (id) => !RESERVED.test(id),
    'must not be "admin" nor begin with "anon-", "guest-" or "key-": only the server gives these',
  ),
);

const GUEST = "guest-";

/** A guest's id, which no user can have. */
export const guestId = (wanted: string): string => GUEST + wanted;
export const isGuestId = (id: string): boolean => id.startsWith(GUEST);

/** The id of a user, or of a guest (`guestId`). */
export const UserOrGuestId = v.pipe(
  v.string(),
  v.normalize("NFC"),
  v.check(
    (id) => v.is(UserId, isGuestId(id) ? id.slice(GUEST.length) : id),
    'must be the id of a user, or of a guest: "guest-" and an id that a user could have',
  ),
);
