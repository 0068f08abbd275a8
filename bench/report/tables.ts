// Prints reports for people: aligned columns for a terminal, or Markdown for a committed file.
import {
  type Bar,
  type BenchReport,
  type Figure,
  isMet,
  type Machine,
  type Report,
} from './result.ts'

type Row = readonly string[]

/** How rows become text; the first row is the heading, `numbersFrom` the first column of numbers. */
type Layout = (rows: readonly Row[], numbersFrom: number) => string

/** A report as text for a terminal. */
export function textReport(report: Report): string {
  return render(report, alignedTable, (bench) => `== ${bench} ==`)
}

/** A report as Markdown. */
export function markdownReport(report: Report): string {
  return render(report, markdownTable, (bench) => `## ${bench}`)
}

/** A machine as a line of text. */
export function machineLine({ cpu, cores, node, date }: Machine): string {
  return `${cpu}, ${cores} cores, Node ${node}, ${date}`
}

function render(report: Report, layout: Layout, heading: (bench: string) => string): string {
  const parts = report.benches.flatMap((bench) => [
    heading(bench.bench),
    layout(measurementRows(bench), 2),
    ...(bench.bars.length === 0 ? [] : [layout(barRows(bench.bars), 1)]),
    ...bench.absent.map(({ peer, reason }) => `not measured: ${peer}: ${reason}`),
    ...bench.notes,
  ])
  const quick = report.quick ? ' (quick: shows that it works, not how fast it is)' : ''
  return `${[...parts, machineLine(report.machine) + quick].join('\n\n')}\n`
}

function measurementRows({ measurements }: BenchReport): Row[] {
  const columns: string[] = []
  for (const { figures } of measurements) {
    for (const { name } of figures) if (!columns.includes(name)) columns.push(name)
  }
  const rows = measurements.map(({ workload, subject, figures }, i) => [
    measurements[i - 1]?.workload === workload ? '' : workload,
    subject,
    ...columns.map((column) => figureText(figures.find(({ name }) => name === column))),
  ])
  return [['workload', 'subject', ...columns], ...rows]
}

function barRows(bars: readonly Bar[]): Row[] {
  const rows = bars.map((bar) => [
    bar.text,
    `${bar.bound} ${amount(bar.want, bar.unit)}`,
    amount(bar.got, bar.unit),
    isMet(bar) ? 'met' : 'MISSED',
  ])
  return [['bar', 'want', 'got', ''], ...rows]
}

function figureText(figure: Figure | undefined): string {
  return figure === undefined ? '' : amount(figure.median, figure.unit)
}

function amount(value: number, unit: string): string {
  if (Number.isNaN(value)) return '?'
  return unit === '1/s' || unit === 'ratio' ? digits(value) : `${digits(value)} ${unit}`
}

/** Three digits that mean something; large numbers in full. */
function digits(value: number): string {
  const size = Math.abs(value)
  if (size >= 1000) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)
}

function alignedTable(rows: readonly Row[], numbersFrom: number): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i < numbersFrom ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
  return lines.join('\n')
}

function markdownTable(rows: readonly Row[], numbersFrom: number): string {
  const [head, ...body] = rows
  const rule = head!.map((_, i) => (i < numbersFrom ? '---' : '---:'))
  return [head!, rule, ...body].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
