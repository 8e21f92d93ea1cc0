// Numbers that are ids of different things, told apart by their types: a message's number does not pass for a row's.

declare const brand: unique symbol;

/** A value of type T that stands for one thing only; made where it is read, by `as`. */
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };
