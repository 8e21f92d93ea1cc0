// What the demo prints: step by step for people, or all steps as one JSON array at the end.

export interface DemoStep {
  /** The seed's number of the step. */
  readonly number: number | null;
  readonly step: string;
  readonly detail: readonly string[];
  readonly ms: number;
}

export interface StepPrinter {
  /** A chapter, with what happens in it. */
  chapter(title: string, ...text: readonly string[]): void;
  step(step: DemoStep): void;
  end(...text: readonly string[]): void;
}

export interface StepPrinterOptions {
  readonly json: boolean;
  readonly colours: boolean;
  readonly write: (text: string) => void;
}

const STEP_WIDTH = 27;

export function stepPrinter({ json, colours, write }: StepPrinterOptions): StepPrinter {
  if (json) return jsonPrinter(write);
  const paint = (code: number) => (text: string) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);
  const [bold, dim, cyan] = [paint(1), paint(2), paint(36)];
  const say = (lines: readonly string[]): void => write(`${lines.join('\n')}\n`);
  return {
    chapter(title, ...text) {
      say(['', bold(title), ...text.map((line) => dim(line)), '']);
    },
    step({ number, step, detail, ms }) {
      const [first = '', ...rest] = detail;
      const time = `${ms.toFixed(1)} ms`.padStart(9);
      say([
        `  ${cyan(String(number ?? '').padEnd(3))} ${dim(time)}  ${bold(step.padEnd(STEP_WIDTH))} ${first}`,
        ...rest.map((line) => `${' '.repeat(18 + STEP_WIDTH)}${line}`),
      ]);
    },
    end(...text) {
      say(['', ...text]);
    },
  };
}

function jsonPrinter(write: (text: string) => void): StepPrinter {
  const steps: (DemoStep & { readonly chapter: string })[] = [];
  let chapter = '';
  return {
    chapter(title) {
      chapter = title;
    },
    step(step) {
      steps.push({ chapter, ...step });
    },
    end() {
      write(`${JSON.stringify(steps, null, 2)}\n`);
    },
  };
}
