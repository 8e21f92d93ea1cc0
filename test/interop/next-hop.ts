// How a foreign server of these tests is set up.

export interface PeerOptions {
  /** Of 127.0.0.1, free. */
  readonly port: number;
  /** What it delivers itself, whoever it is for. */
  readonly domain: string;
  /** Where all else goes. */
  readonly next: { readonly port: number; readonly protocol: 'smtp' | 'lmtp' };
}
