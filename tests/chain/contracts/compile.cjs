// node compile.cjs NODE_MODULES           compiles the contracts beside this file and writes compiled.json
// node compile.cjs NODE_MODULES --check   only says whether compiled.json is what the sources give
const { readFileSync, readdirSync, writeFileSync } = require('fs');
const { join, resolve } = require('path');

const [modules, check] = process.argv.slice(2);
const solc = require(join(resolve(modules), 'solc'));
const output = JSON.parse(solc.compile(JSON.stringify({
  language: 'Solidity',
  sources: Object.fromEntries(readdirSync(__dirname).filter(name => name.endsWith('.sol')).sort()
    .map(name => [name, { content: readFileSync(join(__dirname, name), 'utf8') }])),
  settings: {
    evmVersion: 'shanghai',
    optimizer: { enabled: true, runs: 200 },
    // No hash of sources and comments behind the code: the code alone is compared.
    metadata: { appendCBOR: false, bytecodeHash: 'none' },
    outputSelection: { '*': { '*': ['evm.deployedBytecode.object', 'evm.methodIdentifiers'] } },
  },
})));
for (const { formattedMessage } of output.errors ?? []) console.error(formattedMessage);
if (output.errors?.length) process.exit(1);

const contracts = {};
for (const file of Object.values(output.contracts))
  for (const [name, { evm }] of Object.entries(file))
    if (evm.deployedBytecode.object) contracts[name] = { code: '0x' + evm.deployedBytecode.object, methods: evm.methodIdentifiers };
const text = JSON.stringify({ compiler: solc.version(), contracts }, null, 1) + '\n';

const target = join(__dirname, 'compiled.json');
const sizes = Object.entries(contracts).map(([name, { code }]) => `${name} ${code.length / 2 - 1} bytes`).join(', ');
if (!check) {
  writeFileSync(target, text);
  console.log(sizes);
} else if (readFileSync(target, 'utf8') === text) {
  console.log(`compiled.json is what solc ${solc.version()} makes of the sources: ${sizes}`);
} else {
  console.error(`compiled.json is not what solc ${solc.version()} makes of the sources: run tests/chain/chain compile`);
  process.exit(1);
}
