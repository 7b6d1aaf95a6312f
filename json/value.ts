/** JSON values and the schemas of them. @module */

/** Any JSON value. Fields that are `undefined` are left out of the text. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/** A JSON Schema document, 2020-12. */
export type JsonSchema = Record<string, unknown>;

/** Where in a value something is: names and indexes. */
export type Path = readonly (string | number)[];
