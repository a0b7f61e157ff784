/** The steps of the history that the template comes with: an import may take their place. */
export const TEMPLATE_STEPS: readonly string[] = ["0001-create-patterns", "0002-create-document"];
