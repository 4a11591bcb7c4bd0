/** The element that shows one item, and how it is made to show the item's next version. */
export type Row<Item> = { element: HTMLElement; update(item: Item): void };

/**
 * A list that keeps the element of each key: an item that is the same object as before costs a comparison,
 * a changed one an update, and focus and scroll position stay where they are.
 */
export class KeyedList<Item> {
  readonly #container: HTMLElement;
  readonly #keyOf: (item: Item) => string;
  readonly #create: (item: Item) => Row<Item>;
  readonly #rows = new Map<string, { row: Row<Item>; shown: Item }>();

  constructor(container: HTMLElement, keyOf: (item: Item) => string, create: (item: Item) => Row<Item>) {
    this.#container = container;
    this.#keyOf = keyOf;
    this.#create = create;
  }

  update(items: readonly Item[]): void {
    this.#removeAllBut(new Set(items.map(this.#keyOf)));
    let place = this.#container.firstElementChild;
    for (const item of items) {
      const { element } = this.#rowFor(item);
      if (element === place) place = place.nextElementSibling;
      else this.#container.insertBefore(element, place);
    }
  }

  #rowFor(item: Item): Row<Item> {
    const key = this.#keyOf(item);
    const known = this.#rows.get(key);
    if (known?.shown === item) return known.row;
    const row = known?.row ?? this.#create(item);
    row.update(item);
    this.#rows.set(key, { row, shown: item });
    return row;
  }

  #removeAllBut(keys: ReadonlySet<string>): void {
    for (const [key, { row }] of this.#rows) {
      if (keys.has(key)) continue;
      row.element.remove();
      this.#rows.delete(key);
    }
  }
}
