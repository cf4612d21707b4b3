/* The card, on the one page that pays. It is typed in the service's own field: this script sees a token, never
   a number. Without it, the page says to pay by transfer. */
(() => {
  "use strict";

  const open = (holder) => window.Stripe?.(holder.dataset.key, { locale: holder.dataset.language });

  const form = document.querySelector("[data-card-form]");
  const away = document.querySelector("[data-card-away]");
  if (form) {
    const service = open(form);
    if (!service) {
      away.hidden = false;
    } else {
      const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
      const card = service.elements({ locale: form.dataset.language }).create("card", {
        hidePostalCode: true,
        style: { base: { fontSize: "18px", color: colour("--text") }, invalid: { color: colour("--lost") } },
      });
      form.hidden = false;
      card.mount(form.querySelector("[data-card-entry]"));
      const button = form.querySelector("[type=submit]");
      const words = button.textContent;
      const error = form.querySelector("[data-card-error]");
      const rest = (said) => {
        error.textContent = said;
        error.hidden = !said;
        button.disabled = false;
        button.textContent = words;
      };
      form.addEventListener("submit", async (event) => {
        if (form.elements.token.value) return;
        event.preventDefault();
        if (button.disabled) return;
        button.disabled = true;
        button.textContent = button.dataset.busy;
        const told = await service.createToken(card).catch(() => ({}));
        if (told.token?.id) {
          form.elements.token.value = told.token.id;
          form.submit();
        } else {
          // The service's own words say which part is wrong, in the language of the page.
          rest(told.error?.type === "validation_error" ? told.error.message : away.dataset.unreadable);
        }
      });
    }
  }

  /* The bank's window opens by itself; whatever comes of it, the portal then asks the service. */
  const authentication = document.querySelector("[data-authenticate]");
  const service = authentication && open(authentication);
  if (service) {
    service
      .confirmCardPayment(authentication.dataset.authenticate)
      .catch(() => ({}))
      .then(() => authentication.submit());
  }
})();
