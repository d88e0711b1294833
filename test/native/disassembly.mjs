// Reads the machine code of the native build and fails when
//
// 1. a 256-bit or 512-bit register is used outside the kernels that are compiled for it: the linker
//    could then keep, for every processor, a function that only some can run;
// 2. something a lane computed can reach a branch or an address in one of these kernels. Lane data
//    lives in vectors, and its only ways out are a mask register moved to a general one and the
//    instructions that set flags from vectors or masks, or move vector elements. The latter must not
//    occur. A general register that holds a mask may be moved back to a mask register and used for
//    nothing else. (GCC also parks pointers in vector registers: moving an element into a general
//    register is allowed from a vector register that the same function moved one into.) Flags before a conditional jump must come from an integer comparison or
//    subtraction of such untouched registers, constants or stack slots: loop counters, lengths,
//    pointers. What is on the stack there cannot hold a mask, because masks in general registers are
//    never stored.
//
// 3. field arithmetic in comb.o has a jump, or another conditional jump in there depends on anything
//    but registers, constants and stack slots, as those of its loops do. Numbers are in general
//    registers there, so that this says less than (2); constant-time.test.ts follows the scalars.
//
// usage: node test/native/disassembly.mjs [build directory]...
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const directories = process.argv.slice(2);
if (directories.length === 0) directories.push(path.join(here, 'build/Release'));

const fromVectors =
  /^(v?p?movmsk|v?ptest$|vtestp|kortest|ktest|v?u?comis|vcvtt?s[dsh]2|vpextr|vextractps)/;
const toGeneral = /^vmov[dqw]$/;
const isGeneral = /^%(?:[re]?[abcd]x|[abcd][lh]|[re]?[sd]il?|[re]?[sb]pl?|r\d+[dwb]?)$/;

/** A constant, a register, a stack slot, or the value that the stack protector compares one with. */
const isPlain = (operand) =>
  /^\$/.test(operand) ||
  isGeneral.test(operand) ||
  /\(%r[sb]p\)$/.test(operand) ||
  operand === '%fs:0x28';

/** %eax, %ax and %al are all %rax. */
function wide(register) {
  return register
    .replace(/^%(r\d+)[dwb]?$/, '%$1')
    .replace(/^%[er]?([abcd])[xlh]$/, '%r$1x')
    .replace(/^%[er]?([sd]i|[sb]p)l?$/, '%r$1');
}

/** Fill makes the tables of a curve: the curve and its generator are public. */
const isPublic = (name) => /\bFill<\d+, (true|false)>\(/.test(name);

const registersIn = (text) => (text.match(/%[a-z]+\d*[dwb]?/g) ?? []).map(wide);

function* instructions(object) {
  const text = execFileSync('objdump', ['-d', '-C', '--no-show-raw-insn', object], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  let name = '';
  for (const line of text.split('\n')) {
    const label = /^[0-9a-f]+ <(.*)>:$/.exec(line);
    if (label) name = label[1];
    const match = /^\s+([0-9a-f]+):\s+(?:bnd |notrack )?(\S+)\s*([^#<]*)/.exec(line);
    if (!match) continue;
    const [, address, mnemonic, rest] = match;
    const operands = rest.trim() === '' ? [] : rest.trim().split(/,(?![^(]*\))/);
    yield { name, address, mnemonic, operands, line: line.trim() };
  }
}

/** The complaints about the kernel's object file. */
export function checkKernel(code) {
  const complaints = [];
  let masks = new Set(); // general registers that hold a mask
  const parked = new Map(); // a function's vector registers that held a general register
  for (const { name, mnemonic, operands } of code) {
    if (!toGeneral.test(mnemonic) || !isGeneral.test(operands[0])) continue;
    parked.set(name, (parked.get(name) ?? new Set()).add(operands[1]));
  }
  let flags;
  let current;
  for (const { name, mnemonic, operands, line } of code) {
    const complain = (why) => {
      if (!isPublic(name)) complaints.push(`${name}: ${why}: ${line}`);
    };
    if (name !== current) {
      current = name;
      masks = new Set();
      flags = undefined;
    }
    const last = operands.at(-1) ?? '';
    const sources = operands.slice(0, -1);
    const takesBack = toGeneral.test(mnemonic) && isGeneral.test(last);
    if (fromVectors.test(mnemonic) || (takesBack && !parked.get(name)?.has(sources[0]))) {
      complain('lane data leaves the vectors');
    }
    if (/^kmov/.test(mnemonic) && isGeneral.test(last)) {
      if (/^%k/.test(sources[0])) masks.add(wide(last));
      continue;
    }
    if (/^nop/.test(mnemonic)) continue;
    const overwrites =
      /^(mov|lea|pop)/.test(mnemonic) || (mnemonic === 'xor' && last === sources[0]);
    const reads =
      overwrites && isGeneral.test(last) ? (mnemonic === 'xor' ? [] : sources) : operands;
    if (!/^kmov/.test(mnemonic) && reads.flatMap(registersIn).some((each) => masks.has(each))) {
      complain('a mask is used in a general register');
    }
    if (overwrites && isGeneral.test(last)) masks.delete(wide(last));
    if (/^(cmp|test|sub|add|inc|dec|neg|and|or|xor|sh[lr]|sa[lr]|imul)[bwlq]?$/.test(mnemonic)) {
      const plain = operands.every(isPlain);
      flags = plain ? 'integer' : line;
    }
    if (/^j/.test(mnemonic) && mnemonic !== 'jmp' && flags !== 'integer') {
      complain(`a jump depends on ${flags ?? 'nothing known'}`);
    }
    if (/^(jmp|call)$/.test(mnemonic) && /^\*/.test(last)) complain('an indirect jump');
    if (/^(cmov|set)/.test(mnemonic) && flags !== 'integer') complain('a choice by unknown flags');
  }
  return complaints;
}

const setsFlags =
  /^(cmp|test|sub|sbb|add|adc|inc|dec|neg|and|or|xor|sh[lr]d?|sa[lr]|i?mul|bt)[bwlq]?$/;
const straight = /::Field<\d+>::(Add|Subtract|Multiply)\(/;

/** The complaints about comb.o. */
export function checkComb(code) {
  const complaints = [];
  let flags;
  for (const { name, mnemonic, operands, line } of code) {
    const complain = (why) => complaints.push(`${name}: ${why}: ${line}`);
    if (/^j/.test(mnemonic) && straight.test(name)) complain('a jump in field arithmetic');
    if (/^i?div/.test(mnemonic)) complain('a division takes its time');
    if (/^(jmp|call)$/.test(mnemonic) && /^\*/.test(operands[0] ?? ''))
      complain('an indirect jump');
    if (setsFlags.test(mnemonic)) {
      const plain = operands.every(isPlain);
      flags = plain && /^(cmp|test|sub|add)/.test(mnemonic) ? 'integer' : line;
    }
    if (/^j/.test(mnemonic) && mnemonic !== 'jmp' && flags !== 'integer') {
      complain(`a jump depends on ${flags ?? 'nothing known'}`);
    }
  }
  if (!code.some(({ name }) => straight.test(name))) complaints.push('no field arithmetic in it');
  return complaints;
}

function* objectsIn(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (entry.name.endsWith('.o')) yield path.join(entry.parentPath ?? entry.path, entry.name);
  }
}

// What each kernel multiplies with: a check that finds nothing because it reads nothing is worse than
// none.
const kernels = {
  'avx2.o': /vpmuludq/,
  'avx512ifma.o': /vpmadd52/,
  'edwards_avx512ifma.o': /vpmadd52/,
  'lanes_avx512ifma.o': /vpmadd52/,
};

const found = new Set();
const complaints = [];
for (const directory of directories) {
  if (!existsSync(directory)) complaints.push(`${directory} does not exist`);
  else {
    for (const object of objectsIn(directory)) {
      const code = [...instructions(object)];
      const product = kernels[path.basename(object)];
      if (product) {
        found.add(`${directory}/${path.basename(object)}`);
        complaints.push(...checkKernel(code).map((each) => `${object}: ${each}`));
        if (process.arch === 'x64' && !code.some(({ line }) => product.test(line))) {
          complaints.push(`${object}: no ${product.source} in it`);
        }
      }
      if (!/avx512ifma\.o$/.test(object)) {
        if (/ec\/comb\.o$/.test(object)) {
          complaints.push(...checkComb(code).map((each) => `${object}: ${each}`));
        }
        for (const { name, line } of code) {
          if (/%zmm/.test(line)) complaints.push(`${object}: ${name}: 512 bits: ${line}`);
          if (/%ymm/.test(line) && !product) {
            complaints.push(`${object}: ${name}: 256 bits: ${line}`);
          }
        }
      }
    }
  }
}
for (const directory of directories) {
  for (const kernel of Object.keys(kernels)) {
    if (!found.has(`${directory}/${kernel}`)) complaints.push(`${directory}: no ${kernel}`);
  }
}
for (const complaint of complaints) console.error(complaint);
if (complaints.length === 0) console.log('machine code: nothing to complain about');
process.exit(complaints.length === 0 ? 0 : 1);
