#!/bin/sh
# Installs the foreign programs that the tests talk with, where that is possible: Debian, as root.
#
# In   nothing
# Out  the programs on PATH; what is missing afterwards is named on standard error. Always exits 0: a test whose peer
#      is missing skips with the reason, or fails where CI=true (test/support/peers.ts)
# Never starts a service: policy-rc.d says no while packages are installed, and is removed again if it was made here.

# program:package
peers="ldapadd:ldap-utils slapd:slapd swaks:swaks dig:bind9-dnsutils curl:curl mbsync:isync python3:python3 strace:strace gcc:gcc
openssl:openssl gsasl:gsasl msmtp:msmtp fetchmail:fetchmail getmail:getmail6 haproxy:haproxy postfix:postfix ldapvi:ldapvi dovecot:dovecot-core named:bind9
nsupdate:bind9-dnsutils kdig:knot-dnsutils knotd:knot pdns_server:pdns-server dnsperf:dnsperf"
PATH=$PATH:/usr/sbin:/sbin

missing_packages() {
  for peer in $peers; do
    command -v "${peer%%:*}" >/dev/null 2>&1 || printf '%s ' "${peer#*:}"
  done
  # Its package writes itself into the machine's /etc/nsswitch.conf and PAM: nobody's own machine gets it for a test.
  [ "${CI:-}" != true ] || command -v sssd >/dev/null 2>&1 || printf 'sssd-ldap '
  [ "${CI:-}" != true ] || command -v pamtester >/dev/null 2>&1 || printf 'pamtester '
  [ "${CI:-}" != true ] || ls /usr/lib/*/security/pam_sss.so >/dev/null 2>&1 || printf 'libpam-sss '
  # swaks speaks TLS through it.
  perl -MNet::SSLeay -e 1 >/dev/null 2>&1 || printf 'libnet-ssleay-perl '
  perl -MMail::DKIM::Verifier -e 1 >/dev/null 2>&1 || printf 'libmail-dkim-perl '
  # Debian's packages are those of its own Python, whichever is first on PATH.
  for module in dkim nacl ldap ldap3; do
    /usr/bin/python3 -c "import $module" >/dev/null 2>&1 || printf 'python3-%s ' $module
  done
  perl -MMail::SRS -e 1 >/dev/null 2>&1 || printf 'libmail-srs-perl '
  ls /usr/lib/*/pdns/libgsqlite3backend.so >/dev/null 2>&1 || printf 'pdns-backend-sqlite3 '
  ls /usr/lib/postfix/postfix-ldap.so >/dev/null 2>&1 || printf 'postfix-ldap '
  ls /usr/lib/dovecot/modules/auth/libauthdb_ldap.so >/dev/null 2>&1 || printf 'dovecot-ldap '
  # Mechanisms of OpenLDAP's client are plug-ins, no programs.
  ls /usr/lib/*/sasl2/libscram.so >/dev/null 2>&1 || printf 'libsasl2-modules '
  # gcc without the C library's headers compiles nothing.
  if command -v gcc >/dev/null 2>&1 && ! echo '#include <stdio.h>' | gcc -E - >/dev/null 2>&1; then printf 'libc6-dev '; fi
}

missing=$(missing_packages)
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
  echo "not installed, their tests are skipped: $missing(apt-get install $missing)" >&2
  exit 0
fi

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && trap 'rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM
fi

echo "installing: $missing" >&2
install() {
  # gcc needs libc6-dev to be of use; without recommendations it has to be named.
  # shellcheck disable=SC2086 # a list of words
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing libc6-dev >"$log" 2>&1
}
log=$(mktemp)
# The lists are fetched only when what is here does not do.
install || { apt-get update -qq >"$log" 2>&1 && install; } || tail -n 5 "$log" >&2
rm -f "$log"

missing=$(missing_packages)
[ -z "$missing" ] || echo "could not be installed, their tests are skipped: $missing" >&2
exit 0
