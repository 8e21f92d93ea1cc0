// What flat means: of the samples of the measured minutes the median of the last third is at most a ratio above that of the first
// third, and something more. Of what goes up with each session that is open it is the least of each third.
//
// In      samples in the order of time, an allowance
// Out     both numbers, how much it grows a minute between them, the largest sample, whether that is allowed
// Limits  fewer than SAMPLES_MIN samples say nothing: such a figure is not judged

export interface Sample {
  /** Seconds since the measured minutes began. */
  readonly at: number;
  readonly value: number;
}

/**
 * `growth`: last <= first * ratio + more, of the medians or of the least. `most`: no sample above it, for what fills a file up to a bound and begins anew. Neither:
 * it is told, and not judged.
 */
export interface Allowance {
  readonly growth?: { readonly ratio: number; readonly more: number; readonly of?: 'least' };
  readonly most?: number;
}

export interface Figure {
  readonly name: string;
  readonly unit: 'MiB' | '';
  readonly samples: number;
  readonly first: number;
  readonly last: number;
  readonly perMinute: number;
  readonly max: number;
  readonly allowance: Allowance;
  readonly verdict: 'flat' | 'grows' | 'not judged';
}

/** Three of each third, so that a median is not the only one. */
const SAMPLES_MIN = 9;

export function judge(
  { name, unit }: Pick<Figure, 'name' | 'unit'>,
  samples: readonly Sample[],
  allowance: Allowance,
): Figure {
  const third = Math.max(1, Math.floor(samples.length / 3));
  const [begin, end] = [samples.slice(0, third), samples.slice(-third)];
  const one = allowance.growth?.of === 'least' ? least : median;
  const [first, last] = [one(begin.map(({ value }) => value)), one(end.map(({ value }) => value))];
  const minutes = (median(end.map(({ at }) => at)) - median(begin.map(({ at }) => at))) / 60;
  const max = samples.reduce((most, { value }) => Math.max(most, value), 0);
  const { growth, most } = allowance;
  const isJudged = samples.length >= SAMPLES_MIN && (growth !== undefined || most !== undefined);
  const isAllowed =
    (growth === undefined || last <= first * growth.ratio + growth.more) && (most === undefined || max <= most);
  return {
    ...{ name, unit, samples: samples.length, first, last, max, allowance },
    perMinute: minutes > 0 ? (last - first) / minutes : 0,
    verdict: !isJudged ? 'not judged' : isAllowed ? 'flat' : 'grows',
  };
}

function least(values: readonly number[]): number {
  return values.length === 0 ? 0 : Math.min(...values);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [below, above] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return below === undefined || above === undefined ? 0 : (below + above) / 2;
}
