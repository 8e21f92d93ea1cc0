// The thread that hashes by crypt(3)'s methods: plain JavaScript for up to a second, which no thread with connections may spend.
//
// In      a question at a time: a setting and a password
// Out     its hash as text, '' where there is none

import { parentPort } from 'node:worker_threads';
import { bcryptText } from './bcrypt.ts';
import { md5Crypt } from './md5-crypt.ts';
import type { CryptSetting } from './setting.ts';
import { shaCrypt } from './sha-crypt.ts';

export interface CryptQuestion {
  readonly id: number;
  readonly setting: CryptSetting;
  readonly password: Uint8Array;
}

export interface CryptAnswer {
  readonly id: number;
  readonly hash: string;
}

parentPort!.on('message', ({ id, setting, password }: CryptQuestion) => {
  parentPort!.postMessage({ id, hash: hashOf(setting, Buffer.from(password)) } satisfies CryptAnswer);
});

function hashOf(setting: CryptSetting, password: Buffer): string {
  switch (setting.method) {
    case 'md5':
      return md5Crypt(password, Buffer.from(setting.salt));
    case 'sha':
      return shaCrypt(password, { ...setting, salt: Buffer.from(setting.salt) });
    case 'bcrypt':
      return bcryptText(password, setting.setting) ?? '';
    default:
      return setting satisfies never;
  }
}
