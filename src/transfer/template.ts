// Texts of entries that go into mail: of an automatic reply, of a list.
//
// In      the text; what is put in for its names
// Out     lines of Unicode text
// In a text `$SUBJECT $FROM $START $END` stand for what they say, where that is given, `$$` for a dollar, and any other `$` for a
// line break

/** A line of a stranger's that is put into a text. */
const PUT_IN_MAX = 500;

export interface PutIn {
  readonly SUBJECT: string;
  readonly FROM: string;
  readonly START: string;
  readonly END: string;
}

const NAMES = ['SUBJECT', 'FROM', 'START', 'END'] as const satisfies readonly (keyof PutIn)[];

/** Lines end in `\n`. */
export function writeText(template: string, putIn: Partial<PutIn>): string {
  let text = '';
  let at = 0;
  for (let sign = template.indexOf('$'); sign >= 0; sign = template.indexOf('$', at)) {
    text += template.slice(at, sign);
    at = sign + 1;
    const name = NAMES.find((each) => putIn[each] !== undefined && template.startsWith(each, at));
    if (name !== undefined) {
      text += oneLine(putIn[name]!);
      at += name.length;
    } else if (template.charAt(at) === '$') {
      text += '$';
      at++;
    } else text += '\n';
  }
  return (text + template.slice(at)).replaceAll('\r\n', '\n').replaceAll('\r', '\n');
}

/** Letters of what a stranger wrote, nothing that could end a line. */
function oneLine(text: string): string {
  let line = '';
  for (const character of text.slice(0, PUT_IN_MAX)) line += character < ' ' ? ' ' : character;
  return line;
}
