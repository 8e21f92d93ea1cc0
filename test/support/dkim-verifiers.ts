// What programs of others say of the signatures of a message: dkimpy (both kinds of key) and Perl's Mail::DKIM (RSA; the version that
// Debian has knows no Ed25519). They ask a function for records, or a name server.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Debian's own: another Python in front of it lacks its packages. */
const PYTHON = '/usr/bin/python3';

/** `SELECTOR._domainkey.DOMAIN` without a dot at its end -> its text. */
export type KeyRecords = Readonly<Record<string, string>>;

/** A word for each signature, from the top: `s=` and what became of it, `pass` or `fail`. */
export type Verdicts = readonly string[];

const DKIMPY = `
import dkim, json, sys
given = json.load(sys.stdin)
message = given["message"].encode("latin-1")
def text(name, timeout=5):
    record = given["records"].get(name.decode().rstrip("."))
    return None if record is None else record.encode()
said = []
verifier = dkim.DKIM(message)
for index in range(len([name for name, value in verifier.headers if name.lower() == b"dkim-signature"])):
    one = dkim.DKIM(message)
    try:
        good = one.verify(idx=index, dnsfunc=text)
    except dkim.DKIMException as error:
        sys.stderr.write("%s\\n" % error)
        good = False
    said.append("%s %s" % (one.signature_fields[b"s"].decode(), "pass" if good else "fail"))
print(json.dumps(said))
`;

const MAIL_DKIM = `
use strict; use JSON::PP; use Mail::DKIM::Verifier; use Mail::DKIM::PublicKey;
local $/; my $given = decode_json(<STDIN>);
no warnings 'redefine';
*Mail::DKIM::PublicKey::fetch_async = sub {
  my ($class, %asked) = @_;
  my $text = $given->{records}{"$asked{Selector}._domainkey.$asked{Domain}"};
  my $on = $asked{Callbacks}{Success};
  return sub { return undef unless defined $text; my $key = $class->parse($text); $on ? $on->($key) : $key };
};
my $verifier = Mail::DKIM::Verifier->new();
my $message = $given->{message}; utf8::downgrade($message);
$verifier->PRINT($message); $verifier->CLOSE();
print encode_json([map { $_->selector . ' ' . ($_->result eq 'pass' ? 'pass' : $_->result_detail) } $verifier->signatures]);
`;

function run(program: string, args: readonly string[], message: Buffer | string, records: KeyRecords): Verdicts {
  const text = Buffer.isBuffer(message) ? message.toString('latin1') : message;
  const done = spawnSync(program, args, { input: JSON.stringify({ message: text, records }), encoding: 'utf8' });
  if (done.status !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout);
}

export function dkimpy(message: Buffer | string, records: KeyRecords): Verdicts {
  return run(PYTHON, ['-c', DKIMPY], message, records);
}

export function mailDkim(message: Buffer | string, records: KeyRecords): Verdicts {
  return run('/usr/bin/perl', ['-e', MAIL_DKIM], message, records);
}

export const dkimVerifiersMissing: string | false = ((): string | false => {
  const probes: [string, string[], string][] = [
    [PYTHON, ['-c', 'import dkim, nacl'], 'python3-dkim python3-nacl'],
    ['/usr/bin/perl', ['-MMail::DKIM::Verifier', '-e', '1'], 'libmail-dkim-perl'],
  ];
  for (const [program, args, packages] of probes) {
    if (existsSync(program) && spawnSync(program, args).status === 0) continue;
    const why = `${packages} is not installed (apt-get install ${packages})`;
    if (process.env['CI'] === 'true') throw new Error(why);
    return why;
  }
  return false;
})();
