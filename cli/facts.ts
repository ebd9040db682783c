import { printableLine } from './printable.ts';
import { column } from './table.ts';

/** One line of what is known about something. */
export type Fact = readonly [name: string, text: string];

/** A fact that there may not be. */
export function given(name: string, text: string | null | undefined): Fact[] {
  return text ? [[name, text]] : [];
}

/** Facts below each other, as a terminal may show them. */
export function factLines(facts: readonly Fact[]): string[] {
  return column(facts.map(([name, text]) => [name, printableLine(text)]));
}
