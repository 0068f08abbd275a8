export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'rooms-by-their-index',
      comment:
        'A room of lib is entered by its index.ts; base has no index: its files are single values.',
      severity: 'error',
      from: { path: '^lib/([^/]+)/' },
      to: { path: '^lib/', pathNot: '^lib/($1/|base/|[^/]+/index\\.ts$)' },
    },
    {
      name: 'nothing-imports-plugins',
      comment: 'A plugin stands on the public rooms; only its users know it.',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/plugins/' },
      to: { path: '^lib/plugins/' },
    },
    {
      name: 'plugins-stand-alone',
      comment: 'A plugin imports grpc, naming and base, and no other plugin.',
      severity: 'error',
      from: { path: '^lib/plugins/([^/]+)/' },
      to: {
        path: '^lib/',
        pathNot: '^lib/(plugins/$1/|base/|(grpc|naming)/index\\.ts$)',
      },
    },
    {
      name: 'no-dev-packages-in-lib',
      severity: 'error',
      from: { path: '^lib/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: '@types' },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: '(index\\.ts$|\\.d\\.ts$)' },
      to: {},
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
}
