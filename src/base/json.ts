// Values that JSON can hold: what a column or a message between threads carries of a unit's own.

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json;
}
