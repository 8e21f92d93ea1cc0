// A rewrite rule's template as a value, and its text.
//
//     template = *control [ user "%" domain [ "@" channel ] / user "@" domain "@" hop "@" channel ] [ "$?" text ]
//
// Controls may stand anywhere before `$?`; so each part keeps its pieces as they were written, and printing a template that
// has been parsed gives the text again.

import type { Door } from '../route-request.ts';

/** What is put into an address when the rule is applied. */
export type Substitution =
  /** As it is. */
  | { readonly kind: 'text'; readonly text: string }
  /** `$U`, `$0U`, `$1U`: the local part, all of it, without its subaddress, its subaddress alone. */
  | { readonly kind: 'user'; readonly part: 'all' | 'base' | 'subaddress' }
  /** `$D`, `$H`: the part of the domain that the pattern names, and what stands left of it. */
  | { readonly kind: 'matched' }
  | { readonly kind: 'unmatched' }
  /** `$L`: what the pattern leaves open of an address literal. */
  | { readonly kind: 'rest' }
  /** `$&n`, `$!n`, `$*n`, `$#n`: one label, counted from 0. */
  | {
      readonly kind: 'label';
      readonly of: 'unmatched' | 'matched';
      readonly from: 'left' | 'right';
      readonly at: number;
    };

/** What must hold, or the rule fails. */
export type TemplateControl =
  /** `$A`, `$E`, `$F`: in the lineage other addresses than an envelope's recipients are rewritten, too. Here they hold. */
  | { readonly kind: 'always'; readonly letter: 'A' | 'E' | 'F' }
  /** `$M`, `$N`: the message came in by this door, or by any but this. */
  | { readonly kind: 'door'; readonly is: boolean; readonly door: Door }
  /** `$V`, `$Z`: this domain has an entry, or none. */
  | { readonly kind: 'domain'; readonly is: boolean; readonly name: readonly Substitution[] };

export type Piece = Substitution | TemplateControl;

export interface TemplateChannel {
  readonly pieces: readonly Piece[];
  /** In lower case. */
  readonly name: string;
  /** Where it stands in the text, from 1. */
  readonly column: number;
}

/** Where an address goes: B of `A%B`, with the channel of `A%B@C`; with the hop of `A@B@H@C`. */
export interface TemplateAddress {
  readonly user: readonly Piece[];
  readonly domain: readonly Piece[];
  readonly hop: readonly Piece[] | undefined;
  readonly channel: TemplateChannel | undefined;
}

export interface Template {
  /** All controls, in the order in which they stand. */
  readonly controls: readonly TemplateControl[];
  /** Without an address the rule refuses, and `pieces` are its controls. */
  readonly address: TemplateAddress | undefined;
  /** What stands behind `$?`. */
  readonly text: string | undefined;
}

export function isControl(piece: Piece): piece is TemplateControl {
  return piece.kind === 'always' || piece.kind === 'door' || piece.kind === 'domain';
}

/** The text that parseTemplate has read. */
export function printTemplate({ controls, address, text }: Template): string {
  const words = text === undefined ? '' : `$?${text}`;
  if (address === undefined) return `${printPieces(controls)}${words}`;
  const { user, domain, hop, channel } = address;
  const name = channel === undefined ? '' : `@${printPieces(channel.pieces)}`;
  if (hop !== undefined) return `${printPieces(user)}@${printPieces(domain)}@${printPieces(hop)}${name}${words}`;
  return `${printPieces(user)}%${printPieces(domain)}${name}${words}`;
}

function printPieces(pieces: readonly Piece[]): string {
  let text = '';
  for (const piece of pieces) text += printPiece(piece);
  return text;
}

const USER = { all: '$U', base: '$0U', subaddress: '$1U' } as const;
const LABEL = { unmatched: { left: '$&', right: '$!' }, matched: { left: '$*', right: '$#' } } as const;

function printPiece(piece: Piece): string {
  switch (piece.kind) {
    case 'text':
      return printText(piece.text);
    case 'user':
      return USER[piece.part];
    case 'matched':
      return '$D';
    case 'unmatched':
      return '$H';
    case 'rest':
      return '$L';
    case 'label':
      return `${LABEL[piece.of][piece.from]}${piece.at}`;
    case 'always':
      return `$${piece.letter}`;
    case 'door':
      return `${piece.is ? '$M' : '$N'}${piece.door}`;
    case 'domain':
      return `${piece.is ? '$V' : '$Z'}${printPieces(piece.name)}`;
    default:
      return piece satisfies never;
  }
}

/** `$`, `%` and `@` mean something unless a `$` stands before them. */
function printText(text: string): string {
  let printed = '';
  for (const c of text) printed += c === '$' || c === '%' || c === '@' ? `$${c}` : c;
  return printed;
}
