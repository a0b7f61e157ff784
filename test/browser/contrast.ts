/** A script for the page: finds texts with too little contrast (WCAG 2.2, 1.4.3, level AA). */
export const LOW_CONTRAST = `(() => {
  const LEAST = 4.5, LEAST_LARGE = 3, LARGE_PX = 24, LARGE_BOLD_PX = 18.66;
  const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (color) => {
    const [r, g, b] = color.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if ((color[3] ?? 1) === 1) return color;
    }
    return [255, 255, 255];
  };
  /** The text's color as it is seen: all elements around it may be translucent. */
  const seen = (element, ground) => {
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    const color = parse(getComputedStyle(element).color);
    return [0, 1, 2].map((part) => color[part] * opacity + ground[part] * (1 - opacity));
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const hasText = element.value || [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!hasText || !element.checkVisibility() || element.disabled) continue;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const [a, b] = [luminance(seen(element, ground)), luminance(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= LARGE_PX || (size >= LARGE_BOLD_PX && Number(style.fontWeight) >= 700);
    if (ratio < (large ? LEAST_LARGE : LEAST)) low.push(\`\${ratio.toFixed(2)} \${element.outerHTML.slice(0, 80)}\`);
  }
  return low;
})()`;
