// A connection of any kind, TLS too, whose lines are read one by one.

import type { Duplex } from 'node:stream';

/** A line is '' at the end of the connection. */
export class Lines {
  readonly #stream: Duplex;
  #text = '';
  #isOver = false;
  #wake: (() => void) | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
      this.#wake?.();
    });
    const over = (): void => {
      this.#isOver = true;
      this.#wake?.();
    };
    stream.on('error', over).on('end', over).on('close', over);
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf('\r\n');
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return line;
      }
      if (this.#isOver) return '';
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  /** Lines up to one that begins so. */
  async until(start: string): Promise<string[]> {
    const lines: string[] = [];
    do {
      lines.push(await this.line());
      if (lines.at(-1) === '') throw new Error(`closed behind ${JSON.stringify(lines)}`);
    } while (!lines.at(-1)!.startsWith(start));
    return lines;
  }

  write(text: string): void {
    this.#stream.write(`${text}\r\n`);
  }

  async command(text: string, end: string): Promise<string[]> {
    this.write(text);
    return this.until(end);
  }

  close(): void {
    this.#stream.destroy();
  }
}
