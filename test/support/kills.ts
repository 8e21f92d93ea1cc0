// How often a test kills: a few times with all others, as often as KILLS says where a person looks for what is rare.
//
//   KILLS=50 ./test/run test/crash/held.test.ts

export function kills(usual: number): number {
  const wanted = Number(process.env['KILLS'] ?? usual);
  if (!Number.isInteger(wanted) || wanted < 1) throw new Error(`KILLS is no number of kills: ${process.env['KILLS']}`);
  return wanted;
}
