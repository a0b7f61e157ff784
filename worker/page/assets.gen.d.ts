/** The types of assets.gen.js, which the build writes (`npm run build:page`). */

/** A file of the page. */
export interface Asset {
  /** Its bytes, gzip in Base64. */
  readonly gzip: string;
  readonly etag: string;
}

export declare const page: { readonly html: Asset; readonly css: Asset; readonly js: Asset };

/** What panels load once they are used, by the pattern's folder. */
export declare const later: Readonly<Record<string, Asset>>;

/** The title of the page and of the OpenAPI document: the project's name. */
export declare const title: string;
