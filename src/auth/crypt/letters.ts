// The text that crypt(3) writes octets in: six bits a letter, the lowest first.

const LETTERS = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** `order` names octets in threes, the highest first; -1 stands for none. */
export function cryptText(octets: Uint8Array, order: readonly number[]): string {
  let text = '';
  for (let at = 0; at < order.length; at += 3) {
    const three = [order[at]!, order[at + 1]!, order[at + 2]!];
    let bits = three.reduce((sum, index) => (sum << 8) | (index < 0 ? 0 : octets[index]!), 0);
    const letters = three.filter((index) => index >= 0).length + 1;
    for (let i = 0; i < letters; i++, bits >>>= 6) text += LETTERS[bits & 63];
  }
  return text;
}
