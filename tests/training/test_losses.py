import keras
import numpy as np
import pytest

from age_gender.training import losses

TRUTH = np.eye(101, dtype=np.float32)[[30, 50]]


def guess():
    probabilities = np.zeros((2, 101), np.float32)
    probabilities[0, [20, 30]] = 0.5
    probabilities[1, 57] = 1
    return probabilities


def test_age_error_is_that_of_the_expected_age_in_years():
    error = losses.AgeError()
    error.update_state(TRUTH, guess())
    assert float(error.result()) == pytest.approx(6)


@pytest.mark.parametrize("weight", [0, 0.5])
def test_age_loss_adds_the_error_to_the_cross_entropy(weight):
    plain = keras.losses.CategoricalCrossentropy()(TRUTH, guess())
    assert float(losses.AgeLoss(weight)(TRUTH, guess())) == pytest.approx(float(plain) + 6 * weight)


def test_embedding_loss_leaves_out_faces_without_one():
    targets = np.array([[1, -1], [0, 0], [0, 2]], np.float32)
    guess = np.array([[0, 0], [5, 5], [1, 1]], np.float32)
    loss = losses.EmbeddingLoss(0.5)(targets, guess)
    assert float(loss) == pytest.approx(0.5 * (1 + 0 + 1) / 3)


def test_face_of_unknown_gender_counts_nowhere():
    targets = np.array([[1, 0], [0, 1], [0, 0], [0, 0.5]], np.float32)
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]], np.float32)
    accuracy = losses.GenderAccuracy()
    assert float(accuracy.result()) == 0
    accuracy.update_state(targets, probabilities)
    assert float(accuracy.result()) == pytest.approx(1.5 / 2.5)
    each = keras.losses.categorical_crossentropy(targets, probabilities)
    assert float(each[2]) == 0 and float(each[3]) == pytest.approx(-0.5 * np.log(0.9), rel=1e-5)
