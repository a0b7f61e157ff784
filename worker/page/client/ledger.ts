export function ledgerPanel(): void {}
