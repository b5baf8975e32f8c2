// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from 'node:url'
import n from 'eslint-plugin-n'
import tseslint from 'typescript-eslint'

const root = fileURLToPath(new URL('.', import.meta.url))

/**
 * Imports run one way: a folder of lib/ may import the folders named here, itself, and nothing else of lib/.
 * The files beside the folders (errors, clock) are open to all but lib/kernel.
 */
const mayImport = {
  kernel: [],
  backend: ['kernel'],
  mock: ['kernel', 'backend'],
  host: ['kernel'],
  checks: ['kernel', 'backend', 'host'],
  device: ['kernel', 'backend', 'host', 'checks'],
  ownership: [],
  wire: ['kernel'],
  link: ['kernel', 'wire'],
  migration: ['kernel', 'backend', 'host', 'checks', 'device', 'ownership', 'wire', 'link'],
  participant: ['kernel', 'backend', 'device', 'migration'],
  cli: ['kernel'],
}

/** They load the mock when it is named, by import(), and may know its types. */
const loadMock = ['device', 'cli']

const direction = Object.entries(mayImport).map(([folder, allowed]) => {
  const forbidden = Object.keys(mayImport).filter(
    other => other !== folder && !allowed.includes(other) && !(other === 'mock' && loadMock.includes(folder)),
  )
  const patterns = [
    {
      group: forbidden.map(other => `../${other}/*`).concat(forbidden.map(other => `../../${other}/*`)),
      message: `lib/${folder} imports ${['itself', ...allowed].join(', ')} only`,
    },
    ...(loadMock.includes(folder)
      ? [{ group: ['../mock/*'], allowTypeImports: true, message: 'load the mock by import()' }]
      : []),
    ...(folder === 'kernel' ? [{ group: ['../*'], message: 'lib/kernel imports nothing' }] : []),
    ...(folder === 'device'
      ? []
      : [{ group: ['**/backend/native.ts'], message: 'only lib/device uses the addon' }]),
  ]
  return {
    files: [`lib/${folder}/**/*.ts`],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] },
  }
})

/** Time comes from the clock of the backend. */
const timeless = [
  { object: 'Date', property: 'now' },
  { object: 'performance', property: 'now' },
  { object: 'process', property: 'hrtime' },
].map(entry => ({ ...entry, message: 'take the time from the backend’s clock' }))

export default tseslint.config(
  { ignores: ['dist', 'dist-test', 'build', 'build-*', 'node_modules', 'coverage'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    plugins: { n },
    rules: {
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-invalid-void-type': [
        'error',
        { allowInGenericTypeArguments: true, allowAsThisParameter: false },
      ],
      'n/no-unsupported-features/node-builtins': [
        'error',
        { version: '>=20.19.0', ignores: ['fs.cpSync', 'zlib.crc32'] },
      ],
      'n/no-unsupported-features/es-builtins': ['error', { version: '>=20.19.0' }],
      'n/prefer-node-protocol': 'error',
    },
  },
  ...direction,
  {
    files: ['lib/**/*.ts'],
    ignores: ['lib/clock.ts'],
    rules: {
      'no-restricted-properties': ['error', ...timeless],
      'no-restricted-globals': ['error', 'setTimeout', 'setInterval'],
    },
  },
  // The clocks that simulated devices wait by.
  { files: ['lib/mock/clock.ts'], rules: { 'no-restricted-globals': ['error', 'setInterval'] } },
  {
    files: ['**/*.mjs', '**/*.js', '**/*.cjs'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
)
