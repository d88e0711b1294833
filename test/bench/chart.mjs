// The chart of the README: CPU time per sealed pair on one thread, both sides, logarithmic.
const width = 760;
const left = 190;
const right = 130;
const rowHeight = 44;
const top = 58;

export function chart(rows, machine) {
  const height = top + rows.length * rowHeight + 34;
  const most = Math.max(...rows.flatMap(({ ours, theirs }) => [ours.cpu, theirs.cpu]));
  const least = Math.min(...rows.flatMap(({ ours, theirs }) => [ours.cpu, theirs.cpu])) / 2;
  const scale = (width - left - right) / Math.log(most / least);
  const length = (value) => Math.log(value / least) * scale;
  const bars = rows.map((row, i) => bar(row, top + i * rowHeight, length)).join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="24" font-size="16" font-weight="600" fill="#1a1a1a">CPU time per sealed data key pair, one thread</text>
<text x="16" y="43" fill="#555555">logarithmic; shorter is better</text>
<rect x="${width - 250}" y="33" width="11" height="11" fill="#0b6e4f"/><text x="${width - 234}" y="43" fill="#1a1a1a">pairmint</text>
<rect x="${width - 150}" y="33" width="11" height="11" fill="#b8b8b8"/><text x="${width - 134}" y="43" fill="#1a1a1a">node:crypto</text>
${bars}
<text x="16" y="${height - 12}" font-size="11" fill="#555555">${machine}</text>
</svg>
`;
}

function bar({ spec, ours, theirs }, y, length) {
  const line = (value, offset, color) =>
    `<rect x="${left}" y="${y + offset}" width="${length(value).toFixed(1)}" height="14" fill="${color}"/>` +
    `<text x="${(left + length(value) + 6).toFixed(1)}" y="${y + offset + 12}" fill="#1a1a1a">${milliseconds(value)}</text>`;
  return `<text x="16" y="${y + 21}" fill="#1a1a1a">${spec}</text>
${line(ours.cpu, 2, '#0b6e4f')}
${line(theirs.cpu, 19, '#b8b8b8')}`;
}

export function milliseconds(value) {
  if (value >= 100) return `${value.toFixed(0)} ms`;
  return value >= 1 ? `${value.toFixed(1)} ms` : `${(value * 1000).toFixed(0)} us`;
}
