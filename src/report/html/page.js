const made = document.querySelector(".made time");
const age = document.querySelector(".age");
const tell = () => {
  const minutes = Math.floor((Date.now() - Date.parse(made.dateTime)) / 60000);
  const [count, unit] = minutes < 120 ? [minutes, "min"]
    : minutes < 2880 ? [Math.floor(minutes / 60), "hours"]
    : [Math.floor(minutes / 1440), "days"];
  age.textContent = minutes < 1 ? ", just now" : `, ${count} ${unit} ago`;
};
tell();
setInterval(tell, 20000);
// An address that ends in `#mr-36` keeps browsers from reloading as the page asks them to.
const seconds = document.querySelector("meta[http-equiv=refresh]").content;
setTimeout(() => location.reload(), seconds * 1000);
