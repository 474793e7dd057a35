"""From log weights to a number and its gradient: objectives, debiasing, surrogates."""
