// `$1$` of crypt(3): a thousand rounds of MD5. Old password files are full of it.
//
// In      the password's octets, a salt of at most eight
// Out     what stands behind the salt, 22 letters
// Of FreeBSD's libcrypt, which first had it

import { hash } from 'node:crypto';
import { cryptText } from './letters.ts';

const ROUNDS = 1000;
const MAGIC = Buffer.from('$1$');
const ORDER = [0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 4, 10, 5, -1, -1, 11];

export function md5Crypt(password: Buffer, salt: Buffer): string {
  const inner = md5(password, salt, password);
  const parts: Buffer[] = [password, MAGIC, salt];
  for (let left = password.length; left > 0; left -= 16) parts.push(inner.subarray(0, Math.min(16, left)));
  for (let bits = password.length; bits > 0; bits >>= 1)
    parts.push((bits & 1) === 1 ? Buffer.alloc(1) : password.subarray(0, 1));
  let digest = md5(...parts);
  for (let round = 0; round < ROUNDS; round++) {
    const isOdd = round % 2 === 1;
    digest = md5(
      isOdd ? password : digest,
      ...(round % 3 === 0 ? [] : [salt]),
      ...(round % 7 === 0 ? [] : [password]),
      isOdd ? digest : password,
    );
  }
  return cryptText(digest, ORDER);
}

function md5(...parts: Buffer[]): Buffer {
  return hash('md5', Buffer.concat(parts), 'buffer');
}
