// Who may import whom. The table below is the architecture; everything under it only turns it into rules.
// `errors.ts` and `limits.ts` may be imported by all.

const anything = ['.*']

/** Folder of src → paths below src that it may import, beside itself. */
const mayImport = {
  model: [],
  codec: ['model/'],
  trust: ['model/', 'codec/'],
  core: ['model/', 'codec/', 'trust/'],
  runtime: ['core/', 'model/', 'codec/'],
  net: ['model/', 'codec/', 'runtime/(ports|make-folder|pool-threads)', 'trust/'],
  store: ['model/', 'codec/', 'runtime/(ports|nearest-folder)'],
  activate: ['model/', 'codec/', 'runtime/(ports|make-folder|nearest-folder|pool-threads)'],
  publish: ['model/', 'codec/', 'trust/', 'net/(dial|submit)'],
  api: ['model/', 'api/', 'activate/changed-paths'],
  client: ['api/contract'],
  daemon: ['(?!cli/|sim/|index)'],
  cli: ['daemon/', 'publish/', 'client/', 'sim/', 'trust/', 'codec/', 'model/', 'api/contract'],
  sim: ['core/', 'runtime/', 'store/memory', 'model/', 'codec/', 'trust/'],
}

/** Packages and Node modules of the pure folders; the others may use what package.json names. */
const pureMayUse = {
  model: [],
  codec: ['node_modules/@ipld/dag-cbor/', 'node_modules/multiformats/', '^(node:)?(buffer|crypto)$'],
  trust: ['^(node:)?crypto$'],
  core: [],
}

const onlyIn = [
  {
    name: 'libp2p-only-in-net',
    folders: 'net',
    packages:
      'node_modules/(libp2p|@libp2p|@chainsafe|@multiformats|datastore-level|it-pipe|it-length-prefixed|uint8arraylist)/',
  },
  {
    name: 'level-only-in-store',
    folders: 'store',
    packages: 'node_modules/(level|classic-level|abstract-level)/',
  },
  { name: 'car-only-in-publish', folders: 'publish', packages: 'node_modules/@ipld/car/' },
]

// as docs/architecture.md names them
const stages = 'admit|announce|verify|order|fetch|activate|serve|sync|peers|gateways|freshness|submit|bridge'

const forbidden = [
  ...Object.entries(mayImport).map(([folder, allowed]) => ({
    name: `${folder}-imports`,
    severity: 'error',
    comment: `${folder} may import: ${[folder, 'errors, limits', ...allowed].join(', ')}`,
    from: { path: `^src/${folder}/` },
    to: {
      path: '^src/',
      pathNot: ['errors\\.ts$', 'limits\\.ts$', `${folder}/`, ...allowed].map((path) => `^src/${path}`),
    },
  })),
  ...Object.entries(pureMayUse).map(([folder, allowed]) => ({
    name: `${folder}-is-pure`,
    severity: 'error',
    comment: `${folder} is pure: no clock, randomness, promises or I/O, so no package and no Node module beside ${allowed.join(', ') || 'none'}`,
    from: { path: `^src/${folder}/` },
    to: { path: anything, pathNot: ['^src/', ...allowed] },
  })),
  ...onlyIn.map(({ name, folders, packages }) => ({
    name,
    severity: 'error',
    from: { path: '^src/', pathNot: `^src/(${folders})/` },
    to: { path: packages },
  })),
  {
    name: 'stages-apart',
    severity: 'error',
    comment: 'stages never import each other: core/dispatcher.ts calls them, in the order of the journey',
    from: { path: `^src/core/(${stages})(\\.ts$|/)` },
    to: { path: `^src/core/(${stages})(\\.ts$|/)`, pathNot: '^src/core/$1(\\.ts$|/)' },
  },
  {
    name: 'errors-and-limits-stand-alone',
    severity: 'error',
    from: { path: '^src/(errors|limits)\\.ts$' },
    to: { path: anything },
  },
  {
    name: 'index-is-for-others',
    severity: 'error',
    comment: 'what is public is chosen there; inside, import the file that has it',
    from: { path: '^src/' },
    to: { path: '^src/index\\.ts$' },
  },
  {
    name: 'product-apart-from-its-tests',
    severity: 'error',
    from: { path: '^src/' },
    to: { path: '^(test|bench|scripts)/' },
  },
  {
    name: 'only-what-is-installed-with-it',
    severity: 'error',
    comment:
      'a devDependency, or a package that only happens to be there, is missing where the package is installed',
    from: { path: '^src/' },
    to: {
      dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
      dependencyTypesNot: ['npm', 'npm-peer', 'npm-optional'],
    },
  },
  { name: 'found', severity: 'error', from: {}, to: { couldNotResolve: true } },
  {
    name: 'no-circle',
    severity: 'error',
    comment: 'types may refer to each other; code that runs may not',
    from: { path: '^src/' },
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },
]

export default {
  forbidden,
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|docs)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
}
