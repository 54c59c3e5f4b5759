// Lets Monaco live under a style-src without 'unsafe-inline'; must be imported before anything that creates styles.

// Monaco and React libraries create <style> elements: these carry the nonce that the page's script element was given.
const { nonce } = document.querySelector("script[nonce]");
const createElement = document.createElement;

document.createElement = function (name, options) {
  const element = createElement.call(this, name, options);
  if (name === "style") element.nonce = nonce;
  return element;
};

// Monaco writes lines as HTML text with style attributes, which the policy refuses; the same declarations set by script are
// allowed. So its HTML hook renames the attribute (inside tags only: Monaco escapes < and > in text), and an observer, which
// runs before the next paint, sets the declarations.
const renameStyles = (html) => html.replace(/<[^>]*>/g, (tag) => tag.replaceAll(' style="', ' data-style="'));

globalThis.MonacoEnvironment = {
  ...globalThis.MonacoEnvironment,
  createTrustedTypesPolicy: (_name, rules) => ({
    ...rules,
    createHTML: (html, ...rest) => renameStyles(rules.createHTML(html, ...rest)),
  }),
};

function applyStyles(element) {
  element.style.cssText = element.dataset.style;
  element.removeAttribute("data-style");
}

new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) {
      if (node.dataset?.style) applyStyles(node);
      node.querySelectorAll?.("[data-style]").forEach(applyStyles);
    }
  }
}).observe(document, { childList: true, subtree: true });
