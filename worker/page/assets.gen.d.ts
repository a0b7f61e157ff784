/** What the build puts into assets.gen.js (infra/release/page.ts). */

/** A file of the page. */
export interface Asset {
  /** Its bytes, gzip in Base64. */
  readonly gzip: string;
  readonly etag: string;
}

export declare const page: { readonly html: Asset; readonly css: Asset; readonly js: Asset };

/** What the page and the OpenAPI document are called: the project's name. */
export declare const title: string;
